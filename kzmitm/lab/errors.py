"""What goes wrong in a laboratory by itself."""

from kzmitm.errors import KzmitmError


class LaboratoryError(KzmitmError):
    """Something of the laboratory could not be started, or is gone."""
