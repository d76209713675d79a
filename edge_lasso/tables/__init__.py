"""Files and streams into columns: readers, tables, times, series, and files written whole or not at all."""
