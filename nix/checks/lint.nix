# The linters of go/.golangci.yml. Without golangci-lint in the package set they are
# skipped, with a message.
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
    installPhase = "touch $out";
  })
