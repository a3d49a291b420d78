# The demo boots, under emulation if KVM does not work, and both of its consoles work.
{ console-demo, runCommand }:
runCommand "console-demo-test" { } ''
  ${console-demo}/bin/run-test | tee $out
''
