# The file that a VM boots from, as an option names it: a package that holds it
# under the name inPackage, or a path. What cannot work is told before a build.
{ }:
vm: option: inPackage: file:
let
  wrong = why: throw "microvm ${vm}: ${option}: ${why}";
in
if file.type or null == "derivation" then
  "${file}/${inPackage}"
else if builtins.isPath file && !builtins.pathExists file then
  wrong "${toString file} is not there (or git does not know it: git add it)"
else if builtins.isString file && !builtins.hasContext file then
  wrong "\"${file}\" is a string, and no build sees a file of that name (write a path: without quotes)"
else if builtins.isPath file || builtins.isString file || file ? outPath then
  "${file}"
else
  wrong "want a package or a path, got a ${builtins.typeOf file}"
