"""Thin faces over the agent."""
