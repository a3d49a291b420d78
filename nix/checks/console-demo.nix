# The demo boots, in emulation if need be, and both of its consoles work.
{ console-demo, runCommand }:
runCommand "console-demo-test" { } ''
  ${console-demo}/bin/run-test | tee $out
''
