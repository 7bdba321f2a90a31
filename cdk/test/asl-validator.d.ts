/** asl-validator comes without types. */
declare module 'asl-validator' {
  function validate(
    definition: object,
    options?: { readonly checkPaths?: boolean; readonly checkArn?: boolean },
  ): { readonly isValid: boolean; readonly errors: readonly object[] };
  export = validate;
}
