-- The look-ups that applications and synchronisation make.
-- depends: 000

CREATE INDEX idx_framework_epics_status ON framework_epics(status, deleted_at);
CREATE INDEX idx_framework_tasks_sequence ON framework_tasks(epic_id, task_sequence, task_key);
CREATE INDEX idx_framework_tasks_key ON framework_tasks(task_key);
CREATE INDEX idx_task_dependencies_key ON task_dependencies(depends_on_task_key);
CREATE INDEX idx_work_sessions_task ON work_sessions(task_id);
