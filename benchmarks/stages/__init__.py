"""Those who are measured."""
