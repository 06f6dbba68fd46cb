"""Two-way synchronisation for Python programs: :class:`BidirectionalSync`.

It is a face over the engine of the command line. A checkpoint that is made here is in ``epicvc log``, and a
synchronisation is one operation that ``epicvc undo`` takes back. The package decides nothing and prints nothing.
"""

from epicvc.bidirectional_sync.batch import Batch as Batch
from epicvc.bidirectional_sync.shapes import ChangeSummary as ChangeSummary
from epicvc.bidirectional_sync.shapes import ConflictDict as ConflictDict
from epicvc.bidirectional_sync.shapes import Decision as Decision
from epicvc.bidirectional_sync.shapes import EpicChange as EpicChange
from epicvc.bidirectional_sync.shapes import EpicResult as EpicResult
from epicvc.bidirectional_sync.shapes import Integrity as Integrity
from epicvc.bidirectional_sync.shapes import LossDict as LossDict
from epicvc.bidirectional_sync.shapes import PerformanceMetrics as PerformanceMetrics
from epicvc.bidirectional_sync.shapes import QualityMetrics as QualityMetrics
from epicvc.bidirectional_sync.shapes import Resolution as Resolution
from epicvc.bidirectional_sync.shapes import ScoreCounts as ScoreCounts
from epicvc.bidirectional_sync.shapes import SyncReportDict as SyncReportDict
from epicvc.bidirectional_sync.shapes import SyncStatus as SyncStatus
from epicvc.bidirectional_sync.sync import BidirectionalSync as BidirectionalSync

__all__ = ["BidirectionalSync"]
