"""What bench/corpus.py is made of: certificates, sites, pages, rows of OONI's formats, situations."""
