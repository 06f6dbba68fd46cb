-- The index goes first: SQLite does not drop a column that an index uses.

DROP INDEX idx_framework_epics_planned_dates;

ALTER TABLE framework_epics DROP COLUMN duration_unit;
ALTER TABLE framework_epics DROP COLUMN calculated_duration_days;
ALTER TABLE framework_epics DROP COLUMN actual_end_date;
ALTER TABLE framework_epics DROP COLUMN actual_start_date;
ALTER TABLE framework_epics DROP COLUMN planned_end_date;
ALTER TABLE framework_epics DROP COLUMN planned_start_date;
