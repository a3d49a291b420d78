# shellcheck has nothing to report about the shell scripts.
{ runCommand, shellcheck }:
runCommand "shellcheck" { nativeBuildInputs = [ shellcheck ]; } ''
  # In their usual place, so that shellcheck finds the files that they source.
  cp -r ${../../scripts} scripts
  install -D ${../../.ci/run} .ci/run
  shellcheck --external-sources scripts/* .ci/run

  # Nix sets the variables that these scripts use and do not set.
  shellcheck --shell=bash --exclude=SC2154 ${../../tests/hostpkgs}/*.sh ${../kernel}/*.sh
  shellcheck ${../../packaging}/install.sh
  touch $out
''
