"""Time entries: any number of them, computed when read, under an overlay of edited ones."""
