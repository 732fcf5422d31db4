"""``tertulia load``: many clients of any dialect, and a check of every message that they read.

    run ──orders──▶ worker (a process each) ──▶ joining, sending, reading ──▶ the service
     ◀──reports──

``plan`` is what to do, ``targets`` where, ``texts`` what is sent, ``order`` and ``sequences`` what has
to arrive; ``dialects`` are the words. ``outcome`` and ``report`` say what became of it.
"""
