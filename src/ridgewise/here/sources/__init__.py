"""Sources of facts about a machine, one file each: the question asked, and how its answer is read.

Readers are pure: text in, facts out; what is not stated stays unknown.
"""
