"""The trust stores of a computer: which roots are in them, trusted for what, and who put them there.

Readers (one file each in `readers/`) turn every place where a system or program keeps roots into values;
what a root is, `kzmitm.pki.root_class` says. Nothing is ever written but copies of databases, in a temporary
folder.
"""
