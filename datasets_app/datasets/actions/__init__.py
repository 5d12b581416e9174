"""Everything that changes datasets, uploads and items."""

from datasets_app.datasets.actions.accept import (
    accept_upload,
    discard_upload,
    import_cancelled,
    import_failed,
)
from datasets_app.datasets.actions.create import create_dataset
from datasets_app.datasets.actions.exports import MEDIA as EXPORT_MEDIA
from datasets_app.datasets.actions.exports import export_items, run_export
from datasets_app.datasets.actions.imports import clean_up, run_import
from datasets_app.datasets.actions.inspection import inspect, run_inspection, set_mapping
from datasets_app.datasets.actions.receive import receive_stream, receive_upload
from datasets_app.datasets.actions.slices import (
    change_slice,
    count_slice,
    delete_slice,
    run_count,
    save_slice,
)

__all__ = [
    "EXPORT_MEDIA",
    "accept_upload",
    "change_slice",
    "clean_up",
    "count_slice",
    "create_dataset",
    "delete_slice",
    "discard_upload",
    "export_items",
    "import_cancelled",
    "import_failed",
    "inspect",
    "receive_stream",
    "receive_upload",
    "run_count",
    "run_export",
    "run_import",
    "run_inspection",
    "save_slice",
    "set_mapping",
]
