-- The tables that plans live in, and those that they refer to.

CREATE TABLE framework_users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username VARCHAR(50) NOT NULL UNIQUE,
    email VARCHAR(255) UNIQUE,
    is_active BOOLEAN DEFAULT TRUE,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE framework_projects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_key VARCHAR(50) NOT NULL,
    name VARCHAR(255) NOT NULL,
    status VARCHAR(50) DEFAULT 'planning',
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    deleted_at TIMESTAMP
);

CREATE TABLE framework_epics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    epic_key VARCHAR(50) NOT NULL UNIQUE,
    name VARCHAR(255) NOT NULL,
    summary TEXT,
    description TEXT,
    status VARCHAR(50) DEFAULT 'pending',
    priority INTEGER DEFAULT 1,
    points_earned INTEGER DEFAULT 0,
    duration_description VARCHAR(50),
    goals JSON,
    definition_of_done JSON,
    labels JSON,
    tdd_enabled BOOLEAN DEFAULT TRUE,
    methodology VARCHAR(100),
    performance_constraints JSON,
    quality_gates JSON,
    automation_hooks JSON,
    checklist_epic_level JSON,
    github_issue_id INTEGER,
    assigned_to INTEGER REFERENCES framework_users(id),
    project_id INTEGER REFERENCES framework_projects(id) ON DELETE SET NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    completed_at TIMESTAMP,
    deleted_at TIMESTAMP
);

CREATE TABLE framework_tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    epic_id INTEGER NOT NULL REFERENCES framework_epics(id),
    task_key VARCHAR(50) NOT NULL,
    task_sequence INTEGER,
    title VARCHAR(255) NOT NULL,
    description TEXT,
    status VARCHAR(50) DEFAULT 'pending',
    tdd_phase VARCHAR(20) CHECK (tdd_phase IN ('analysis', 'red', 'green', 'refactor', 'review')),
    tdd_skip_reason VARCHAR(100),
    estimate_minutes INTEGER NOT NULL DEFAULT 60,
    actual_minutes INTEGER DEFAULT 0,
    story_points INTEGER DEFAULT 1,
    points_earned INTEGER DEFAULT 0,
    github_branch VARCHAR(255),
    github_issue_number INTEGER,
    test_specs JSON,
    acceptance_criteria JSON,
    deliverables JSON,
    files_touched JSON,
    test_plan JSON,
    priority_tags JSON,
    risk TEXT,
    mitigation TEXT,
    assigned_to INTEGER REFERENCES framework_users(id),
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    completed_at TIMESTAMP,
    deleted_at TIMESTAMP,
    UNIQUE (epic_id, task_key)
);

CREATE TABLE task_dependencies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id INTEGER NOT NULL REFERENCES framework_tasks(id) ON DELETE CASCADE,
    depends_on_task_key VARCHAR(50) NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (task_id, depends_on_task_key)
);

CREATE TABLE work_sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id INTEGER NOT NULL REFERENCES framework_tasks(id),
    user_id INTEGER REFERENCES framework_users(id),
    start_time TIMESTAMP NOT NULL,
    end_time TIMESTAMP,
    duration_minutes INTEGER
);
