"""What people and programs see of a result: tables, traces, JSON, pictures."""
