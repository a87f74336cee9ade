"""The compiler's passes, one a file; `compiler.compile` lists them in order."""
