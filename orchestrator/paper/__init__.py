"""The paper: its structure, its mending, its build, its citations and its review.

`document` reads and replaces sections, `repair` mends by program what a program can mend safely, `check` lists what is left,
`figures` looks at the figures, `latex` builds the PDF, `package` makes the archive for a publisher.
"""
