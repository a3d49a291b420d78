# configure.sh FRAGMENT: makes .config of tinyconfig and a fragment of options, in
# a kernel's source. An option that did not come out as the fragment has it is
# named, and fails.
fragment=$1

# A sum of both files is not enough: what becomes possible is often on by default.
# So everything is off (allnoconfig) but what the two say; the last word counts.
make tinyconfig
{
  cat .config
  sed -n 's/^\(optional \)\?\(CONFIG_.*\)/\2/p' "$fragment"
} >wanted
make KCONFIG_ALLCONFIG=wanted allnoconfig
make olddefconfig

lost=0
while read -r line; do
  option=${line##* }
  name=${option%%=*}
  if ! grep -qxF "$option" .config &&
    { [ "$option" = "$line" ] || grep -rqxE --include='Kconfig*' "\s*(menu)?config ${name#CONFIG_}" .; }; then
    echo "$fragment: $option: it is not in .config (is it misspelt, gone, or does it need another one?)" >&2
    lost=1
  fi
done < <(grep -E '^(optional )?CONFIG_' "$fragment")
exit $lost
