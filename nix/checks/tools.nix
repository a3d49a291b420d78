# The programs build, and the tests of every Go package pass.
{ tools }: tools
