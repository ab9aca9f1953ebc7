"""What the command asks of the machine."""

from pmmc_check.api.machine import cores

__all__ = ["cores"]
