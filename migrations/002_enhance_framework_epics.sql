-- The calculated fields of an epic: planned and actual dates, duration.
-- depends: 000

ALTER TABLE framework_epics ADD COLUMN planned_start_date DATE;
ALTER TABLE framework_epics ADD COLUMN planned_end_date DATE;
ALTER TABLE framework_epics ADD COLUMN actual_start_date DATE;
ALTER TABLE framework_epics ADD COLUMN actual_end_date DATE;
ALTER TABLE framework_epics ADD COLUMN calculated_duration_days REAL;
ALTER TABLE framework_epics ADD COLUMN duration_unit VARCHAR(20);

CREATE INDEX idx_framework_epics_planned_dates ON framework_epics(planned_start_date, planned_end_date);
