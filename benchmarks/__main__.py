"""Every benchmark in turn, over the books of the folder ./books."""

from benchmarks import cold_start, ingest

ingest.main()
cold_start.main()
