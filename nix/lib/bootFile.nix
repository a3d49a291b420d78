# The file that an option of a VM names: a package that contains it under the name
# inPackage, or a path. A value that cannot work fails the evaluation, before a build.
{ }:
vm: option: inPackage: file:
let
  wrong = why: throw "microvm ${vm}: ${option}: ${why}";
in
if file.type or null == "derivation" then
  "${file}/${inPackage}"
else if builtins.isPath file && !builtins.pathExists file then
  wrong "${toString file}: no such file (a new file needs git add)"
else if builtins.isString file && !builtins.hasContext file then
  wrong "\"${file}\" is a string, and builds cannot see the file (write a path: without quotes)"
else if builtins.isPath file || builtins.isString file || file ? outPath then
  "${file}"
else
  wrong "want a package or a path, got a ${builtins.typeOf file}"
