"""Exploring: everything that can happen in an instance, by one of several engines, and what that costs."""
