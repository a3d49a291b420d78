# configure.sh FRAGMENT: makes .config from tinyconfig and a fragment of options, in a kernel's
# source. It fails, and names the options, if .config differs from the fragment.
fragment=$1

# A concatenation of both files is not enough, since many options are on by default once their
# dependencies are. So allnoconfig turns all other options off. The last value counts.
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
    echo "$fragment: $option: not in .config (misspelt, removed, or without an option that it needs?)" >&2
    lost=1
  fi
done < <(grep -E '^(optional )?CONFIG_' "$fragment")
exit $lost
