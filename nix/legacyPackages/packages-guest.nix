# A guest with a package and services, for the tests. The package needs another one.
{ mkMicrovm, runCommand }:
let
  text = runCommand "text" { } ''
    mkdir $out
    echo "text of a package" >$out/text
  '';
  printer = runCommand "printer" { } ''
    mkdir -p $out/bin
    printf '#!/bin/sh\ncat ${text}/text\n' >$out/bin/print-text
    chmod +x $out/bin/print-text
  '';
in
mkMicrovm {
  name = "packages-guest";
  guest.packages = [ printer ];
  guest.services = [
    {
      name = "counter";
      run = "print-text; exec sleep 3600";
    }
    {
      name = "ending";
      run = "echo again >>/run/ending-log; exit 3";
    }
  ];
  checks = [
    {
      name = "a program of a package";
      run = "print-text";
      expect = "text of a package\n";
    }
    {
      name = "the disk of the packages is read-only";
      run = "touch /nix/store/new";
      status = 1;
    }
    {
      name = "a service prints to the console";
      console = "console";
      expect = "text of a package\n";
    }
    {
      name = "a service runs";
      run = "pidof sleep";
    }
    {
      name = "a service that has ended starts again";
      run = "until [ $(grep -c again /run/ending-log) -ge 3 ]; do sleep 0.2; done";
    }
  ];
}
