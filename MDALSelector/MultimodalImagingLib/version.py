"""The version of CrossModal, written down in every result; here and nowhere else."""

CROSSMODAL_VERSION = "0.1.0"
