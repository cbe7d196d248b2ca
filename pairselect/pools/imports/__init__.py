"""Files in: stage a copy, look at it, let an admin say what is what, then import it in a worker.

``staging`` keeps the file; ``inspecting`` reads its beginning; ``confirming`` makes the rows that
an import fills; ``importing`` fills them, all or nothing, from what ``checking`` has read first.
"""

NOTHING = "Nothing was imported"  # how every complaint about a file begins
