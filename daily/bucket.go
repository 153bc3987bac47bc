package daily

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// A BucketConfig says where a bucket is and who may write to it.
type BucketConfig struct {
	Endpoint string // https://s3.example.com
	Bucket   string
	Prefix   string // of the names of files; "" for none
	Region   string // "" for what the service says
	// Credentials is a file as the AWS tools have it; "" takes AWS_ACCESS_KEY_ID and
	// AWS_SECRET_ACCESS_KEY of the environment, or the AWS tools' own file.
	Credentials string
	// Spool is the folder for files on their way; "" is that of the system.
	Spool string
	// Transport reaches the service; nil is the usual one.
	Transport http.RoundTripper
}

// A Bucket is a [Target] in an object store that speaks S3. An object appears
// when all of it is there.
type Bucket struct {
	config BucketConfig
	client *minio.Client
}

// What is sent in one request; larger files go in parts.
const partSize = 64 << 20

// NewBucket returns a bucket. It asks nobody yet.
func NewBucket(c BucketConfig) (*Bucket, error) {
	endpoint, err := url.Parse(c.Endpoint)
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Path != "" && endpoint.Path != "/" {
		return nil, fmt.Errorf("%q is no endpoint; write https://HOST", c.Endpoint)
	}
	if c.Bucket == "" {
		return nil, errors.New("the bucket has no name")
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds: credentialsOf(c), Secure: endpoint.Scheme == "https", Region: c.Region, Transport: c.Transport,
		MaxRetries: 3, // whoever asks tries again later
	})
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", c.Bucket, err)
	}
	client.SetAppInfo("leyden", "")
	return &Bucket{c, client}, nil
}

func credentialsOf(c BucketConfig) *credentials.Credentials {
	if c.Credentials != "" {
		return credentials.NewFileAWSCredentials(c.Credentials, "")
	}
	return credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}})
}

// Put writes to a file first: S3 must know a length, and what it is told must
// not be made twice.
func (b *Bucket) Put(ctx context.Context, name string, write func(io.Writer) error) (string, error) {
	spool, err := os.CreateTemp(b.config.Spool, "leyden-export-*")
	if err != nil {
		return "", err
	}
	_ = os.Remove(spool.Name()) // while it is open, where that can be: a crash leaves nothing behind
	defer func() {
		_ = spool.Close()
		_ = os.Remove(spool.Name())
	}()
	if err := write(spool); err != nil {
		return "", err
	}
	size, err := spool.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = spool.Seek(0, io.SeekStart)
	}
	if err != nil {
		return "", err
	}
	key := path.Join(b.config.Prefix, name)
	_, err = b.client.PutObject(ctx, b.config.Bucket, key, spool, size, minio.PutObjectOptions{
		ContentType: contentType(name), PartSize: partSize, NumThreads: 1,
	})
	if err != nil {
		return "", fmt.Errorf("bucket %s: %w", b.config.Bucket, err)
	}
	return "s3://" + b.config.Bucket + "/" + key, nil
}
