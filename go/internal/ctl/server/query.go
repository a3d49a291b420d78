package server

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// checked is handle for requests whose queries can be read and hold nothing but
// parameters: a word that nobody reads is a mistake, which would go unseen.
func checked(pattern string, parameters []string, handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			http.Error(w, fmt.Sprintf("query: %v", err), http.StatusBadRequest)
			return
		}
		for _, name := range slices.Sorted(maps.Keys(query)) {
			if !slices.Contains(parameters, name) {
				http.Error(w, fmt.Sprintf("query: %q is no parameter of %s (which has %s)",
					name, pattern, cmp.Or(strings.Join(parameters, ", "), "none")), http.StatusBadRequest)
				return
			}
		}
		handle(w, r)
	}
}
