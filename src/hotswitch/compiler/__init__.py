"""From the shape of a pipeline to a program that forwards."""
