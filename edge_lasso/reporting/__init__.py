"""What people see: terminal, page, pictures."""
