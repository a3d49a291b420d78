module microvm-console/tests

go 1.26.0
