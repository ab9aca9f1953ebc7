"""The Python API: what `import pmmc_check` offers, one module a verb. The command line runs the same functions."""
