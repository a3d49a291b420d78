# The linters of go/.golangci.yml. A package set without golangci-lint skips them
# and says so.
{
  runCommand,
  tools,
  golangci-lint ? null,
}:
if golangci-lint == null then
  runCommand "lint" { } "echo 'skipped: golangci-lint: not in this package set' | tee $out"
else
  tools.overrideAttrs (previous: {
    nativeBuildInputs = previous.nativeBuildInputs ++ [ golangci-lint ];
    buildPhase = "HOME=$TMPDIR golangci-lint run --config .golangci.yml ./...";
    doCheck = false;
    installPhase = "touch $out";
  })
