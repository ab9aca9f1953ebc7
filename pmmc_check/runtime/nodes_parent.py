"""What forks the nodes of `run` imports this, and so ends with the command; and the nodes end with it, also those that stand still.

Its own way of noticing that the command is gone does not do: a node that is stopped holds the other end of the pipe that it listens to."""

from __future__ import annotations

import sys

from pmmc_check.lifelines import end_with_parent

if sys.argv[:1] == ["-c"]:  # as the fork server of multiprocessing is started; whoever else imports this lives on
    end_with_parent()
