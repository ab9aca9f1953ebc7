"""How decision diagrams, and the machine that works on them, are laid out in arrays: columns, and what numbers mean.

node[i]     first edge, number of edges, level, the node's saturation (-1: not known), and on which sparse levels some vector, and
            all vectors, have another value than the absent one (see `symbolic.level_sets`)
edge[k]     value and child
levels[k]   how high level k is, and its absent value (-1: a full level)
unique      where the search for a node by its edges begins; open addressing
unions, images   results of operations, forgotten when others need their place: five (a, b, result) to a line, and whose turn it is"""

from __future__ import annotations

NO_VECTOR, UNIT = 0, 1
"""The empty set, and the one vector of no values."""
FIRST, COUNT, LEVEL, CLOSED, IN_SOME, IN_ALL = range(6)
"""The columns of `node`."""
NODE_COLUMNS = 6
HEIGHT, ABSENT = range(2)
"""The columns of `levels`."""
PART_LEVEL, FUNCTION, REST, EFFECT, ASKS, ASKED = range(6)
"""The columns of `parts`. An event is its highest part: what it does on that level, and the part that follows (-1: none)."""
PART_COLUMNS = 6
FOR_NOTHING, FOR_SOMETHING, FOR_ANYTHING, FOR_ONE_OF, EITHER = range(5)
"""What a part and those that follow ASK for: nothing; that level ASKED is not absent; that and nothing else, all values staying as they
are; what the part ASKED asks for, which is EITHER; EITHER that its own level is not absent or what the part that follows asks for, which
is EITHER or FOR_ANYTHING, and nothing else."""
MOVES, RELABELS, RESTRICTS, PROJECTS = range(4)
"""The effects of a part and those that follow. What MOVES is a step: what it leads to must be closed. What RELABELS is no step, and
nothing is closed; if it leaves absent what is absent it PROJECTS. What RESTRICTS takes those vectors that have values which no step takes
away: of a closed set they are a closed one."""
UNION, IMAGE, FIX = range(3)
"""The kinds of frames."""
OP, A, B, NEXT, BASE, SIZE, PHASE, FOUND, PLACE, KEY, AT_LEVEL, STAGE, POINTER, UNTIL, SHARED_FIRST, SHARED_LAST = range(16)
"""The columns of a frame: its kind; operands; the next edge; its rows of the arena; where it stands; the child being
stored, and which image is next; its level. FIX: the node that is being closed, and which events are fired from the edge:
first its value's own, a linked list from POINTER until UNTIL, then those that are shared by all values of the level, from number
SHARED_FIRST to SHARED_LAST."""
FRAME_COLUMNS = 16
VALUE, CHILD, DONE_CHILD, DONE_OWN, DONE_LEVEL = range(5)
"""The columns of the arena: an edge in the making; FIX: what has been fired from it already."""
DEPTH, NODES, EDGES, ARENA_TOP, RESULT, STATUS, ASK_FUNCTION, ASK_VALUE, FUEL, IMAGES_MADE, UNIONS_MADE, SETS, FREE, IN_USE = range(14)
"""The registers. Nodes are the rows below NODES but for those in the list of the FREE, linked by FIRST; IN_USE says how many."""
FINISHED, TICK, NODES_FULL, EDGES_FULL, ARENA_FULL, SETS_FULL, ASK = range(7)
"""Why the machine has stopped: finished, its fuel spent, no room, or a question (of a function at a value; -1 asks for
the value's own events)."""
UNEXPLORED = -2
"""In the place of the first own event of a value: nobody has asked for them yet."""
ITERATE, AWAIT, READY, UNITE = range(4)
"""The phases of frames: take the next edge; the child's image is being made; it is there; a union is being made."""
CHOOSES, OWN, SHARED, ENDS = range(4)
"""The stages of a FIX: it takes the next edge; fires the events of its value; fires those of all values; only the result is to be stored
(its edges are sorted then, so nothing may be fired any more)."""
NONE_THERE = -1
"""In the place of a number: there is no such entry, part or result."""
LINE = 16
"""How many numbers a line of a cache has: 64 bytes, as a processor fetches them."""
TURN = LINE - 1
