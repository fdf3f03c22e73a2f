"""Worker processes: where chunks are worked on, and which recording made a worker die or hang."""
