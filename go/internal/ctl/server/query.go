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

// strictQuery rejects requests with malformed queries or unknown parameters, so that typos
// do not pass unnoticed, and passes the others to handle.
func strictQuery(pattern string, parameters []string, handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			http.Error(w, fmt.Sprintf("query: %v", err), http.StatusBadRequest)
			return
		}
		for _, name := range slices.Sorted(maps.Keys(query)) {
			if !slices.Contains(parameters, name) {
				http.Error(w, fmt.Sprintf("query: unknown parameter %q (%s has %s)",
					name, pattern, cmp.Or(strings.Join(parameters, ", "), "none")), http.StatusBadRequest)
				return
			}
		}
		handle(w, r)
	}
}
