"""The models, usable without any agent."""
