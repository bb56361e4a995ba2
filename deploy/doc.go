// Package deploy holds what ships Parley in containers: the Dockerfile here, and
// docker-compose.yml in the folder above. Its tests read them the way Docker
// Compose does, and need no container engine.
//
// It is a module of its own, so that the reader of compose files does not become a
// dependency of the product.
package deploy
