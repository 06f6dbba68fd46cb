-- Back to an empty database; children before their parents.

DROP TABLE work_sessions;
DROP TABLE task_dependencies;
DROP TABLE framework_tasks;
DROP TABLE framework_epics;
DROP TABLE framework_projects;
DROP TABLE framework_users;
