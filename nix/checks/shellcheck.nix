# Our few shell scripts.
{ runCommand, shellcheck }:
runCommand "shellcheck" { nativeBuildInputs = [ shellcheck ]; } ''
  # From where they are run, so that it finds what they source.
  cp -r ${../../scripts} scripts
  install -D ${../../.ci/run} .ci/run
  shellcheck --external-sources scripts/* .ci/run

  # Nix sets the variables that these seem to lack.
  shellcheck --shell=bash --exclude=SC2154 ${../../tests/hostpkgs}/*.sh ${../kernel}/*.sh
  shellcheck ${../../packaging}/install.sh
  touch $out
''
