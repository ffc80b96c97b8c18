"""What MDALSelector does with the scene: ranking, open case, problems. Imports no Qt."""
