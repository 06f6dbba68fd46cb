"""Makes an application database with the traps of a grown one.

Its traps: epics that no file has; triggers that write to other tables, one with ``INSERT OR REPLACE``; views; a unique
index on the task key alone beside the one with the epic; rows whose parent is gone; AUTOINCREMENT; JSON as a column
type; defaults that a file need not say; users, audit rows, and WAL.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

SCHEMA = """
CREATE TABLE framework_users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username VARCHAR(50) UNIQUE NOT NULL,
    total_points INTEGER DEFAULT 0,
    preferences JSON,
    is_active BOOLEAN DEFAULT TRUE,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE framework_epics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    epic_key VARCHAR(50) NOT NULL UNIQUE,
    name VARCHAR(255) NOT NULL,
    description TEXT,
    status VARCHAR(50) DEFAULT 'pending',
    priority INTEGER DEFAULT 1,
    points_earned INTEGER DEFAULT 0,
    actual_hours DECIMAL(10,2) DEFAULT 0,
    assigned_to INTEGER,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    deleted_at TIMESTAMP,
    sync_status VARCHAR(20) DEFAULT 'synced',
    planned_start_date DATE, planned_end_date DATE, actual_start_date DATE, actual_end_date DATE,
    calculated_duration_days DECIMAL(5,2), duration_description VARCHAR(50), duration_unit VARCHAR(20),
    goals JSON, definition_of_done JSON, labels JSON,
    tdd_enabled BOOLEAN DEFAULT TRUE,
    methodology VARCHAR(100) DEFAULT 'Test-Driven Development',
    summary TEXT,
    performance_constraints JSON, quality_gates JSON, automation_hooks JSON, checklist_epic_level JSON,
    icon VARCHAR(50) DEFAULT '🎯',
    FOREIGN KEY (assigned_to) REFERENCES framework_users(id)
);
CREATE TABLE framework_tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    task_key VARCHAR(50) NOT NULL,
    epic_id INTEGER NOT NULL,
    title VARCHAR(255) NOT NULL,
    description TEXT,
    tdd_phase VARCHAR(20) CHECK(tdd_phase IN ('analysis', 'red', 'green', 'refactor', 'review')),
    status VARCHAR(50) DEFAULT 'pending',
    estimate_minutes INTEGER NOT NULL DEFAULT 60,
    actual_minutes INTEGER DEFAULT 0,
    story_points INTEGER DEFAULT 1,
    points_earned INTEGER DEFAULT 0,
    difficulty_modifier DECIMAL(3,2) DEFAULT 1.0,
    github_branch VARCHAR(255),
    assigned_to INTEGER,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    completed_at TIMESTAMP NULL,
    test_plan JSON, task_group VARCHAR(50), task_sequence INTEGER, parent_task_key VARCHAR(50),
    test_specs JSON, acceptance_criteria JSON, deliverables JSON, files_touched JSON,
    risk TEXT, mitigation TEXT, tdd_skip_reason VARCHAR(100), priority_tags JSON,
    deleted_at TIMESTAMP DEFAULT NULL,
    points_value INTEGER DEFAULT 5,
    FOREIGN KEY (epic_id) REFERENCES framework_epics(id),
    FOREIGN KEY (assigned_to) REFERENCES framework_users(id),
    UNIQUE(epic_id, task_key)
);
CREATE TABLE task_dependencies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id INTEGER NOT NULL,
    depends_on_task_key VARCHAR(50) NOT NULL,
    depends_on_task_id INTEGER,
    dependency_type VARCHAR(20) DEFAULT 'blocking',
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (task_id) REFERENCES framework_tasks(id) ON DELETE CASCADE,
    FOREIGN KEY (depends_on_task_id) REFERENCES framework_tasks(id) ON DELETE SET NULL,
    UNIQUE(task_id, depends_on_task_key)
);
CREATE TABLE user_streaks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    streak_type VARCHAR(50) NOT NULL,
    current_count INTEGER DEFAULT 0,
    last_activity_date DATE,
    FOREIGN KEY (user_id) REFERENCES framework_users(id),
    UNIQUE(user_id, streak_type)
);
CREATE TABLE epic_json_sync (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    epic_id INTEGER NOT NULL,
    epic_key VARCHAR(50) NOT NULL UNIQUE,
    json_file_path VARCHAR(500) NOT NULL UNIQUE,
    sync_status VARCHAR(20) DEFAULT 'synced',
    db_last_modified TIMESTAMP,
    FOREIGN KEY (epic_id) REFERENCES framework_epics(id) ON DELETE CASCADE
);
CREATE TABLE audit_sessions (
    session_id TEXT PRIMARY KEY,
    start_time TEXT NOT NULL,
    total_tokens INTEGER,
    score REAL,
    payload BLOB
);
CREATE TABLE audit_results (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL,
    file_path TEXT NOT NULL,
    FOREIGN KEY (session_id) REFERENCES audit_sessions(session_id)
);
CREATE TABLE audit_notes (note TEXT, weight NUMERIC);
CREATE TABLE settings (category TEXT, name TEXT, value TEXT, PRIMARY KEY (category, name)) WITHOUT ROWID;

CREATE INDEX idx_tasks_epic ON framework_tasks(epic_id, task_sequence, task_key);
CREATE UNIQUE INDEX idx_tasks_key_unique ON framework_tasks(task_key);
CREATE INDEX idx_open_tasks ON framework_tasks(status) WHERE deleted_at IS NULL;
CREATE INDEX idx_audit_date ON audit_sessions(DATE(start_time));

CREATE VIEW epic_progress AS
SELECT e.id AS epic_id, e.epic_key, COUNT(t.id) AS total_tasks,
       COUNT(CASE WHEN t.status = 'completed' THEN 1 END) AS completed_tasks
FROM framework_epics e LEFT JOIN framework_tasks t ON e.id = t.epic_id GROUP BY e.id;
CREATE VIEW busy_epics AS SELECT epic_key FROM epic_progress WHERE total_tasks > 2;

CREATE TRIGGER task_points AFTER UPDATE OF status ON framework_tasks
WHEN NEW.status = 'completed' AND OLD.status != 'completed'
BEGIN
    UPDATE framework_tasks SET points_earned = NEW.story_points * 10, updated_at = CURRENT_TIMESTAMP
    WHERE id = NEW.id;
END;
CREATE TRIGGER user_points AFTER UPDATE OF points_earned ON framework_tasks
WHEN NEW.points_earned > OLD.points_earned AND NEW.assigned_to IS NOT NULL
BEGIN
    UPDATE framework_users SET total_points = total_points + (NEW.points_earned - OLD.points_earned)
    WHERE id = NEW.assigned_to;
END;
CREATE TRIGGER daily_streak AFTER UPDATE OF status ON framework_tasks
WHEN NEW.status = 'completed' AND OLD.status != 'completed' AND NEW.assigned_to IS NOT NULL
BEGIN
    INSERT OR REPLACE INTO user_streaks (user_id, streak_type, current_count, last_activity_date)
    SELECT NEW.assigned_to, 'daily_tasks', COALESCE(
        (SELECT current_count + 1 FROM user_streaks
         WHERE user_id = NEW.assigned_to AND streak_type = 'daily_tasks'), 1), DATE('now');
END;
CREATE TRIGGER task_changed AFTER UPDATE ON framework_tasks
WHEN OLD.title != NEW.title OR OLD.description != NEW.description OR OLD.test_specs != NEW.test_specs
BEGIN
    UPDATE framework_epics SET sync_status = 'modified', updated_at = CURRENT_TIMESTAMP WHERE id = NEW.epic_id;
    UPDATE epic_json_sync SET sync_status = 'db_newer', db_last_modified = CURRENT_TIMESTAMP
    WHERE epic_id = NEW.epic_id;
END;
"""

ROWS = """
INSERT INTO framework_users (id, username, total_points, preferences) VALUES
    (1, 'developer', 45, '{"theme": "dark"}'), (2, 'reviewer', 0, NULL);
INSERT INTO framework_epics (id, epic_key, name, description, status, priority, created_at, updated_at) VALUES
    (1, 'OWN_1', 'First of its own', 'Only in the database', 'active', 1, '2025-08-18 15:24:32', '2025-08-18 15:24:32'),
    (2, 'OWN_2', 'Second of its own', NULL, 'completed', 2, '2025-08-18 15:24:32', '2025-08-18 15:24:32'),
    (3, 'OWN_3', 'Third of its own', NULL, 'planning', 3, '2025-08-18 15:24:32', '2025-08-18 15:24:32'),
    (9, 'GONE', 'Removed again', NULL, 'pending', 1, '2025-08-01 00:00:00', '2025-08-01 00:00:00');
DELETE FROM framework_epics WHERE epic_key = 'GONE';
INSERT INTO framework_tasks
    (id, task_key, epic_id, title, description, tdd_phase, status, estimate_minutes, assigned_to,
     created_at, updated_at)
VALUES
    (1, 'OWN_T1', 1, 'Own task 1', 'Text 1', 'red', 'completed', 30, 1, '2025-08-18 15:24:32', '2025-08-18 15:24:32'),
    (2, 'OWN_T2', 1, 'Own task 2', 'Text 2', 'green', 'active', 45, 1, '2025-08-18 15:24:32', '2025-08-18 15:24:32'),
    (3, 'OWN_T3', 2, 'Own task 3', 'Text 3', 'refactor', 'completed', 60, NULL,
     '2025-08-18 15:24:32', '2025-08-18 15:24:32'),
    (4, 'OWN_T4', 3, 'Own task 4', NULL, NULL, 'planning', 90, NULL, '2025-08-18 15:24:32', '2025-08-18 15:24:32'),
    (40, 'GONE_T', 3, 'Removed again', NULL, NULL, 'pending', 1, NULL, '2025-08-01 00:00:00', '2025-08-01 00:00:00');
DELETE FROM framework_tasks WHERE task_key = 'GONE_T';
INSERT INTO task_dependencies (task_id, depends_on_task_key, created_at) VALUES
    (2, 'OWN_T1', '2025-08-18 15:24:32'),
    (15, '7.1a', '2025-08-17 18:58:04'), (15, '5.3b.2', '2025-08-17 18:58:04'), (17, '1.1', '2025-08-17 18:58:04');
INSERT INTO user_streaks (id, user_id, streak_type, current_count, last_activity_date) VALUES
    (53, 1, 'daily_tasks', 1, '2025-08-12');
INSERT INTO epic_json_sync (epic_id, epic_key, json_file_path) VALUES
    (1, 'OWN_1', 'epics/own_1.json'), (77, 'LOST', 'epics/lost.json');
INSERT INTO audit_sessions VALUES
    ('s-1', '2025-08-20T12:09:30', 999698, 0.1, x'00ff10'), ('s-2', '2025-08-21T12:09:30', NULL, NULL, NULL);
INSERT INTO audit_results (session_id, file_path) VALUES ('s-1', 'a.py'), ('s-1', 'b.py'), ('s-none', 'c.py');
INSERT INTO audit_notes VALUES ('same', 1), ('same', 1), (NULL, 1.5), ('ünïcode', '12');
INSERT INTO settings VALUES ('ui', 'theme', 'dark'), ('ui', 'font', NULL), ('sync', 'every', '5');
"""


def make_database(path: Path) -> None:
    """Make the application's database, and leave it as an application that was closed leaves it."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(SCHEMA)
        connection.executescript(ROWS)
        connection.execute("PRAGMA user_version=7")
        connection.execute("PRAGMA application_id=1196444487")
    finally:
        connection.close()
