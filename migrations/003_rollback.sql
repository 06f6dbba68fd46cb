-- Only look-ups get slower.

DROP INDEX idx_work_sessions_task;
DROP INDEX idx_task_dependencies_key;
DROP INDEX idx_framework_tasks_key;
DROP INDEX idx_framework_tasks_sequence;
DROP INDEX idx_framework_epics_status;
