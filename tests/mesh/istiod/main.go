// Command istiod is the mesh's control plane for tests: Istio's own code on one machine, without a cluster.
//
// It reads Kubernetes and Istio objects from the YAML files of a folder, turns them into configuration as istiod does,
// and hands it to Envoy over xDS. Files that are replaced while it runs are read again: their objects are created or
// updated. Istio's real command cannot do so: since 1.30 it does not start without a Kubernetes API server.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"

	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/constants"
	"istio.io/istio/pkg/config/mesh"
	kubelib "istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/log"
	"istio.io/istio/pkg/test"
)

const lookEvery = 50 * time.Millisecond

func main() {
	listen := flag.String("listen", "127.0.0.1:15010", "host:port for Envoys to connect to")
	folder := flag.String("objects", "", "folder with the objects, as *.yaml")
	flag.Parse()
	quiet := log.DefaultOptions()
	quiet.SetDefaultOutputLevel(log.OverrideScopeName, log.WarnLevel)
	if err := errors.Join(log.Configure(quiet), test.Wrap(func(t test.Failer) { serve(t, *listen, *folder) })); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// serve runs until SIGTERM or SIGINT.
func serve(t test.Failer, listen, folder string) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	files := newFiles(folder)
	first, err := files.changed()
	if err != nil {
		t.Fatal(err)
	}
	server := xds.NewFakeDiscoveryServer(t, xds.FakeOptions{
		KubernetesObjects: first.kubernetes,
		Configs:           first.istio,
		MeshConfig:        meshConfig(),
		DebounceTime:      10 * time.Millisecond,
		ListenerBuilder:   func() (net.Listener, error) { return net.Listen("tcp", listen) },
	})
	fmt.Println("serving on", server.Listener.Addr())
	for {
		select {
		case <-stop:
			return
		case <-time.After(lookEvery):
		}
		next, err := files.changed()
		if err == nil {
			err = next.apply(server)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "not applied:", err) // what was there before stays
		}
	}
}

// meshConfig leaves certificates to others: here all is one machine, and Envoy has no agent that would bring them.
func meshConfig() *meshconfig.MeshConfig {
	found := mesh.DefaultMeshConfig()
	found.EnableAutoMtls = wrapperspb.Bool(false)
	return found
}

// objects are what files hold.
type objects struct {
	kubernetes []runtime.Object
	istio      []config.Config
}

// apply creates what is new and updates what is known.
func (o objects) apply(server *xds.FakeDiscoveryServer) error {
	tracker := server.KubeClient().Kube().(*fake.Clientset).Tracker()
	for _, object := range o.kubernetes {
		accessor, err := meta.Accessor(object)
		if err != nil {
			return err
		}
		kind := object.GetObjectKind().GroupVersionKind()
		resource, _ := meta.UnsafeGuessKindToResource(kind)
		err = tracker.Update(resource, object, accessor.GetNamespace(), metav1.UpdateOptions{})
		if err != nil {
			err = tracker.Create(resource, object, accessor.GetNamespace(), metav1.CreateOptions{})
		}
		if err != nil {
			return err
		}
	}
	for _, one := range o.istio {
		write := server.Store().Create
		if known := server.Store().Get(one.GroupVersionKind, one.Name, one.Namespace); known != nil {
			one.ResourceVersion = known.ResourceVersion
			write = server.Store().Update
		}
		if _, err := write(one); err != nil {
			return err
		}
	}
	return nil
}

// files are the YAML files of a folder and what each was when it was last read.
type files struct {
	folder string
	seen   map[string]os.FileInfo
}

func newFiles(folder string) files { return files{folder, map[string]os.FileInfo{}} }

// changed reads the files that were replaced since it was last called.
func (f files) changed() (objects, error) {
	var found objects
	names, err := filepath.Glob(filepath.Join(f.folder, "*.yaml"))
	if err != nil {
		return found, err
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil || same(info, f.seen[name]) {
			continue // gone since they were listed, or as it was
		}
		f.seen[name] = info
		text, err := os.ReadFile(name)
		if err != nil {
			return found, err
		}
		if err := found.add(string(text)); err != nil {
			return found, fmt.Errorf("%s: %w", name, err)
		}
	}
	return found, nil
}

// same is whether a file is as it was. Neither is enough by itself: clocks tick slowly, and numbers of inodes come back.
func same(now, before os.FileInfo) bool {
	return os.SameFile(now, before) && now.ModTime().Equal(before.ModTime())
}

// add reads objects; kinds that neither Kubernetes nor Istio knows are for others, and left out.
func (o *objects) add(text string) error {
	for _, document := range strings.Split(text, "\n---\n") {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
			return err
		}
		if strings.Contains(kind.APIVersion, "istio.io/") {
			configs, _, err := crd.ParseInputs(document)
			if err != nil {
				return err
			}
			for _, one := range configs {
				one.Domain = constants.DefaultClusterLocalDomain // in which short host names are meant
				o.istio = append(o.istio, one)
			}
			continue
		}
		object, _, err := kubelib.IstioCodec.UniversalDeserializer().Decode([]byte(document), nil, nil)
		if runtime.IsNotRegisteredError(err) || runtime.IsMissingKind(err) {
			continue
		}
		if err != nil {
			return err
		}
		o.kubernetes = append(o.kubernetes, object)
	}
	return nil
}
