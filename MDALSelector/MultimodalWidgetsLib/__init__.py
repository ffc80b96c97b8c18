"""What both panels share: child processes and their queue, and widgets. Knows Qt."""
