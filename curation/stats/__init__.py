"""What is in a lake, asked in SQL: a view a table, views for the usual questions, checks that must return no row, the report."""
